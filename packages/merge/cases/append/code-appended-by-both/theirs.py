import os


def helios():
    return 2
