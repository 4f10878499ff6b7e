import os


def chad():
    return 1


def helios():
    return 2
