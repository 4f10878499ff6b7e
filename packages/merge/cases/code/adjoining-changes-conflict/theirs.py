p
Q
