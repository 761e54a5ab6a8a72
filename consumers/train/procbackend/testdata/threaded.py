"""A module that leaves a thread behind when it is imported: nobody may fork after that."""

import threading

threading.Thread(target=threading.Event().wait, daemon=True).start()


def main(argv):
    raise AssertionError("this must not run")
