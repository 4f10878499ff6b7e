a
new
z
END
