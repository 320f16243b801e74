"""Runs a command in a terminal of its own, `in-terminal.py ROWS COLUMNS COMMAND...`, and passes on what it writes.

SIGINT to us types Ctrl-C there, SIGTERM goes to the command. Ends as the command ends, 128 + n for signal n.
"""
import fcntl
import os
import pty
import signal
import struct
import sys
import termios

rows, columns, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
    os.execvp(command[0], command)
signal.signal(signal.SIGINT, lambda *_: os.write(terminal, b'\x03'))
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:  # Linux says EIO when the last writer is gone.
        break
    if not data:
        break
    os.write(1, data)
_, status = os.waitpid(child, 0)
sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
