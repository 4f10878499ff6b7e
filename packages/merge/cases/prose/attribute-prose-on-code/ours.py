x
chad
y
