"""What a command is about where it is typed: the stack that runs on this home, or what the environment names."""

from collections.abc import Mapping

from customer_pipeline.dev.environment import Ports, complete
from customer_pipeline.dev.home import Home
from customer_pipeline.settings import SettingsError
from customer_pipeline.variables import WEBSERVER_URL


def webserver_url(environ: Mapping[str, str], *, given: str | None) -> str:
    """Return the address that was given, that of the environment, of the running stack, or the default.

    Raises:
        SettingsError: if it is malformed.
    """
    text = given or environ.get(WEBSERVER_URL.name)
    if text:
        try:
            return WEBSERVER_URL.parse(text)
        except ValueError as error:
            raise SettingsError([WEBSERVER_URL.problem(str(error))]) from None
    return str(Home.from_environment(environ).running().get("ui") or Ports().ui_url)


def environment(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment, with what it lacks as the stack has it that runs on this home.

    Raises:
        SettingsError: if the stack was given settings that this environment lacks, so that no default is right.
    """
    home = Home.from_environment(environ)
    running = home.running()
    if "ports" not in running:
        return environ
    if unknown := [name for name in running["given"] if not environ.get(name)]:
        raise SettingsError([f"{name}: is not set, and the running stack was started with it" for name in unknown])
    return complete(environ, home=home, ports=Ports(**running["ports"]))
