p
q
