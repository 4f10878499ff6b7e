one
three()
