"""How a full walk is divided into parts of bounded size, whatever is known of the provider. Pure.

- A list in a declared order can be cut wherever the walk has got to: what was read is a part, the rest is walked apart.
- Any other list that is asked for both bounds is divided in time before it is read, until its parts are small enough.
- A list that is read from its newest record on, or whole, whatever is asked, is one part: it cannot be resumed.
"""

from datetime import timedelta

from customer_pipeline import timestamps
from customer_pipeline.provider.profile import Profile
from customer_pipeline.windows import Window

_SECOND = timedelta(seconds=1)


def grows_by_value(profile: Profile) -> bool:
    """Return whether a walk settles what it has read before it has read everything."""
    style = profile.pagination
    return not style.stable and (
        style.order == "ascending" or (style.order == "descending" and profile.list.bounded and profile.list.filtered)
    )


def is_divided(profile: Profile) -> bool:
    """Return whether walks of parts cost no more than one walk of everything."""
    style = profile.pagination
    return profile.list.filtered and (profile.list.bounded or (style.order == "ascending" and not style.stable))


def can_be_divided(part: Window, profile: Profile) -> bool:
    """Return whether the provider can be asked for the halves of a part."""
    return is_divided(profile) and part.end - part.start >= 4 * max(_resolution(profile), _SECOND)


def halves(part: Window, profile: Profile) -> list[Window]:
    """Return a part in two halves, on whole seconds; whole where it cannot be divided."""
    if not can_be_divided(part, profile):
        return [part]
    unit = max(_resolution(profile), _SECOND)
    middle = timestamps.floor_sent(part.start + (part.end - part.start) / 2, unit)
    return [Window(part.start, middle), Window(middle, part.end)]


def rest(part: Window, settled: Window) -> list[Window]:
    """Return what of a part is not settled."""
    return [Window(start, end) for start, end in ((part.start, settled.start), (settled.end, part.end)) if start < end]


def _resolution(profile: Profile) -> timedelta:
    sent = profile.list.datetimes
    return timestamps.sent_resolution(format=sent.format, digits=sent.digits)


def described(profile: Profile, *, at_once: int) -> str:
    """Return in words how the provider is walked, and what an interruption costs."""
    if is_divided(profile):
        return f"the walk is divided, {at_once} parts at a time; after an interruption it goes on where it stopped"
    return (
        "the list cannot be divided (list.query lacks {until}, or pagination.order is not ascending): "
        "after an interruption the walk begins anew"
    )
