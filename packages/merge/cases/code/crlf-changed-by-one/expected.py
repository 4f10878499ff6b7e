a
b
C
