a
c
d
