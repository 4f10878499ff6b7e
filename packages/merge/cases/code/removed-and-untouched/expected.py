a
c
D
