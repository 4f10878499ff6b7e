a
z
end
