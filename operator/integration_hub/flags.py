"""Flags that several commands share, and how flags are read: they look and mean the same everywhere."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from integration_hub.config.durations import parse_duration
from integration_hub.config.plain_text import is_text

if TYPE_CHECKING:
    from integration_hub.adapters.egress import EgressPolicy

F = TypeVar("F", bound=Callable[..., object])


_ON_OR_OFF: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
"""What kubectl takes as the value of a flag that is on or off; case does not matter."""

_TAKES_CREDENTIALS: Final = "--secret-from-file"
_NO_CREDENTIALS: Final = (
    "No flag takes the value of a credential: give it with --secret-from-file KEY=FILE or --secret-from-env"
    " KEY=VARIABLE. If a real one stood there, get a new one: others may have seen it."
)


class ChoiceOption(click.Option):
    """A flag with one of some words, which may be left out, as of kubectl's `--dry-run`."""

    def __init__(self, *args: Any, bare: str, **settings: Any) -> None:
        """`bare` is what is meant without a word."""
        super().__init__(*args, **settings)
        self.bare = bare

    def takes(self, word: str | None) -> bool:
        """Tell whether what follows the flag is its word."""
        return isinstance(self.type, click.Choice) and word in self.type.choices


class Command(click.Command):
    """A command whose flags that are on or off take a value too, as kubectl's do: `--wait=false`, `-w=true`.

    One that takes credentials says how where somebody tries it by a flag.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words that were typed; a mistake in the flag where a value is neither on nor off."""
        try:
            left = super().parse_args(ctx, list(self._without_values(ctx, args)))
        except click.NoSuchOption as error:
            if self._is_credential(ctx, error.option_name):
                message = f"{error.message} {_NO_CREDENTIALS}"
                raise click.NoSuchOption(error.option_name, message, ctx=ctx) from error
            raise
        if not ctx.resilient_parsing:
            self._refuse_no_text(ctx)
        return left

    def _refuse_no_text(self, ctx: click.Context) -> None:
        """Refuse words that can be sent nowhere. Names of files may be any bytes."""
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and isinstance(
                parameter.type, click.types.StringParamType
            ):
                value = ctx.params.get(parameter.name or "") or ()
                if not all(map(is_text, [value] if isinstance(value, str) else value)):
                    raise click.BadParameter("is no text in UTF-8.", ctx, parameter)

    def _is_credential(self, ctx: click.Context, flag: str) -> bool:
        # Here, since few mistype a flag.
        from integration_hub.config.redaction import is_sensitive_name  # noqa: PLC0415

        takes_some = any(_TAKES_CREDENTIALS in parameter.opts for parameter in self.get_params(ctx))
        return takes_some and is_sensitive_name(flag)

    def _without_values(self, ctx: click.Context, args: Sequence[str]) -> Iterator[str]:
        """Yield what says the same without '='. Off is the flag's opposite, or nothing where it has none.

        click has optional values of its own. They would take the next word as well, as in `hub get -w billing`.
        """
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option)]
        switches = {
            name: (option, opposite)
            for option in options
            if option.is_flag
            for names, opposite in (
                (option.opts, option.secondary_opts[:1]),
                (option.secondary_opts, option.opts[:1]),
            )
            for name in names
        }
        with_value = {name: option for option in options if not option.is_flag for name in option.opts}
        words = deque(args)
        while words:
            word = words.popleft()
            name, separator, value = word.partition("=")
            is_last = not ctx.allow_interspersed_args and not word.startswith("-")
            if word == "--" or is_last:
                # What follows is the command's arguments, or another command's flags.
                yield word
                yield from words
                return
            elif word in with_value:
                option = with_value[word]
                follows = words[0] if words else None
                if isinstance(option, ChoiceOption) and not option.takes(follows):
                    yield f"{word}={option.bare}"
                    continue
                yield word
                if words:
                    yield words.popleft()
            elif separator and name in switches:
                option, opposite = switches[name]
                is_on = _ON_OR_OFF.get(value.lower())
                if is_on is None and not ctx.resilient_parsing:
                    raise click.BadParameter(f"'{value}' is neither 'true' nor 'false'.", ctx, option)
                yield from [name] if is_on else opposite
            else:
                yield word


class Group(Command, click.Group):
    """A command that has others, all of which read their flags so."""

    command_class = Command


class DurationType(click.ParamType[timedelta]):
    """A duration like '5m' or '1h30m'."""

    name = "duration"

    def __init__(self, least: timedelta = timedelta()) -> None:
        """`least` is the shortest that is taken."""
        self._least = least

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration; a mistake in the flag where it is none, or too short."""
        try:
            duration = value if isinstance(value, timedelta) else parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if duration < self._least:
            self.fail(f"'{value}' is too short: at least {self._least.total_seconds():.0f}s", param, ctx)
        return duration


class PatienceType(DurationType):
    """A duration, or a bare number: the seconds that a flag has always taken."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration."""
        if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", str(value), re.ASCII):
            value = timedelta(seconds=float(str(value)))
        return super().convert(value, param, ctx)


class AddressType(click.ParamType[tuple[str, int]]):
    """An address to listen at, like '127.0.0.1:8080'."""

    name = "host:port"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Return host and port; a mistake in the flag where it is none."""
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
            self.fail(f"'{value}' is no address like '127.0.0.1:8080'", param, ctx)
        return host.strip("[]"), int(port)


def cluster_flags(command: F) -> F:
    """Add --kubeconfig and --context."""
    command = click.option("--context", help="Context of the kubeconfig. [default: its current one]")(command)
    return click.option(
        "--kubeconfig", type=click.Path(path_type=Path), help="Kubeconfig file. [default: as kubectl]"
    )(command)


def log_flags(command: F) -> F:
    """Add --log-format and --log-level."""
    command = click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        show_default=True,
    )(command)
    return click.option(
        "--log-format", type=click.Choice(["json", "console"]), default="console", show_default=True
    )(command)


def egress_flags(command: F) -> F:
    """Add --allow-cidr, as `allow_cidrs`, --allow-http, and --connect-to, as `connect_to`."""
    command = click.option(
        "--connect-to",
        "connect_to",
        multiple=True,
        metavar="HOST:PORT=ADDRESS:PORT",
        help="Connect to this address where a host is meant, like api.example.com:443=10.0.0.7:443, for a private"
        " endpoint. HOST may be *.example.com. The certificate must still be the host's, and the address one that"
        " --allow-cidr permits. May be repeated.",
    )(command)
    command = click.option(
        "--allow-http", is_flag=True, help="Permit plain HTTP to hosts that a definition marks with http://."
    )(command)
    return click.option(
        "--allow-cidr",
        "allow_cidrs",
        multiple=True,
        metavar="CIDR",
        help="Network of internal systems that may be reached, like 10.20.0.0/16. May be repeated. Without it,"
        " private, loopback and other special addresses are refused.",
    )(command)


def egress_policy(allow_cidrs: Sequence[str], *, allow_http: bool, connect_to: Sequence[str]) -> EgressPolicy:
    """Return the policy that the flags describe; a network or an address that is none is a mistake in them."""
    # Here, since a command's --help needs no network.
    from integration_hub.adapters.egress import EgressPolicy, parse_cidrs, parse_detours  # noqa: PLC0415

    try:
        networks = parse_cidrs(allow_cidrs)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--allow-cidr") from error
    try:
        detours = parse_detours(connect_to)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--connect-to") from error
    return EgressPolicy(allowed_cidrs=networks, allow_http=allow_http, detours=detours)
