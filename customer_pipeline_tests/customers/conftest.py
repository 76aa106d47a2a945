"""How Hypothesis runs the tests of this folder."""

from hypothesis import settings

# The first use of pycountry or phonenumbers loads data, and the machine may be busy: a slow example is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
