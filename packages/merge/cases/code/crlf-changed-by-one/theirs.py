a
b
C
