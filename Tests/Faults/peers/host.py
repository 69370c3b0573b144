"""A host that dies when it is told to: starts a sidecar, and hands on what goes in and what comes out.

    python3 host.py pipes|sockets exits|turns-deaf PIECES COMMAND…

The sidecar's stdin and stdout are this process's own, pipes or sockets as Node makes them, so that they are closed
when it is gone. After so many pieces of answers (0 is never) it exits without a word, or closes the answers and its
stdout and stays. It exits with the sidecar's code then, and after the end of the answers.
"""

import os
import select
import socket
import subprocess
import sys


def main():
    kind, fate, pieces, *command = sys.argv[1:]
    if kind == "sockets":
        (near, far), (near_answers, far_answers) = socket.socketpair(), socket.socketpair()
        child = subprocess.Popen(command, stdin=far, stdout=far_answers)
        far.close()
        far_answers.close()
        requests, answers = near.fileno(), near_answers.fileno()
        end, close = lambda: near.shutdown(socket.SHUT_WR), near_answers.close
    else:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        requests, answers = child.stdin.fileno(), child.stdout.fileno()
        end, close = child.stdin.close, child.stdout.close
    waited_for = [0, answers]
    count = 0
    while waited_for:
        for descriptor in select.select(waited_for, [], [])[0]:
            piece = os.read(descriptor, 65_536)
            if not piece:
                waited_for.remove(descriptor)
                if descriptor == 0:
                    end()
                else:
                    sys.exit(child.wait())
            elif descriptor == 0:
                hand_on(piece, requests)
            else:
                hand_on(piece, 1)
                count += 1
                if count == int(pieces) and fate == "exits":
                    os._exit(0)
                if count == int(pieces):
                    waited_for.remove(answers)
                    close()
                    os.close(1)
                    sys.exit(child.wait())
    sys.exit(child.wait())


def hand_on(piece, descriptor):
    try:
        while piece:
            piece = piece[os.write(descriptor, piece):]
    except OSError:
        # Who does not read any more is gone, or about to be.
        pass


if __name__ == "__main__":
    main()
