x
chad
helios
y
