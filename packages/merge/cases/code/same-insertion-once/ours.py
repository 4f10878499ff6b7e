a
new
z
end
