"""A process that has imported what takes seconds, and becomes a program again and again: `forking.py` starts it.

`python fork_server.py SOCKET MODULE ...` says "ready", listens at SOCKET and ends when its standard input does. Of
MODULE:FUNCTION it calls the function too.
A client (`forking.py`) sends a request as JSON with its three standard streams: the server forks a keeper, which forks
the program. The keeper passes signals on to it, kills it when the client is gone, and returns its exit status.
"""

import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress

SIZE = 2**20  # bytes: a request holds a whole environment
Request = dict


def serve(address: str) -> Request:
    """Returns in the processes that are to become a program only; the server itself ends here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the tests
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            reap(os.WNOHANG)
            if sys.stdin in ready:
                reap()
                sys.exit()
            client, _ = listener.accept()
            with client:
                if os.fork() == 0:
                    listener.close()
                    return keep(client)


def reap(options: int = 0) -> None:
    """Keepers that have ended; their times count as this process's."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def keep(client: socket.socket) -> Request:
    """Returns in the program; its keeper ends here."""
    text, streams, _, _ = socket.recv_fds(client, SIZE, 3)
    program = os.fork()
    if program == 0:
        client.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return json.loads(text)
    for stream in streams:
        os.close(stream)
    client.sendall(b"%d" % status_of(program, client))
    os._exit(0)


def status_of(program: int, client: socket.socket) -> int:
    """Its exit status, as a shell would say it, or minus the signal that ended it."""
    ended = os.pidfd_open(program)
    while ended not in (ready := select.select([ended, client], [], [])[0]):
        number = client.recv(1) if client in ready else b""
        os.kill(program, number[0] if number else signal.SIGKILL)
        if not number:
            break
    return os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])


def become(request: Request) -> None:
    """The folder, environment, arguments and interpreter of the client."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.executable = request["python"]
    sys.argv[1:] = request["arguments"]
    sys.path[0] = request["folder"]
    if request["module"].startswith("flows.") and (context := sys.modules.get("prefect.context")):
        importlib.import_module("flows.machine.environment")  # sets what Prefect has read already
        context.refresh_global_settings_context()


if __name__ == "__main__":
    for name in sys.argv[2:]:
        module, _, function = name.partition(":")
        imported = importlib.import_module(module)
        if function:
            getattr(imported, function)()
    asked = serve(sys.argv[1])
    become(asked)
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
