x
old
y
