"""The command `okno`. Heavy imports are made when a command is called, so that `--help` answers in a blink."""

from service.cli.frame import main
from service.cli.looking import commands, events
from service.cli.operating import migrate, retry, send, token
from service.cli.proving import verify
from service.cli.rebuilding import rebuild
from service.cli.replaying import replay
from service.cli.running import demo, doctor, run, sandbox

for command in (run, demo, sandbox, doctor, send, replay, events, rebuild, verify, commands, retry, token, migrate):
    main.add_command(command)

__all__ = ["main"]
