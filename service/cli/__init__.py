"""The command `okno`. Heavy imports are made when a command is called, so that `--help` answers in a blink."""

from service.cli.erasing import erase
from service.cli.exporting import export
from service.cli.exporting_proof import proof, verifier
from service.cli.frame import main
from service.cli.importing import import_
from service.cli.looking import commands, events
from service.cli.operating import migrate, restored, retry, send, token
from service.cli.proving import verify
from service.cli.rebuilding import rebuild
from service.cli.reconciling import reconcile
from service.cli.replaying import replay
from service.cli.running import demo, doctor, run, sandbox
from service.cli.supposing import whatif

for command in (
    run,
    demo,
    sandbox,
    doctor,
    send,
    replay,
    events,
    rebuild,
    verify,
    whatif,
    reconcile,
    commands,
    retry,
    token,
    erase,
    export,
    import_,
    migrate,
    restored,
):
    main.add_command(command)
for command in (proof, verifier):
    export.add_command(command)

__all__ = ["main"]
