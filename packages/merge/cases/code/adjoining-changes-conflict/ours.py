P
q
