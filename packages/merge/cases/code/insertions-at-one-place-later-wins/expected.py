a
helios
z
