a
b
c
D
