a
chad
z
