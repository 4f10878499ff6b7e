x
helios
y
