"""Every schema that the registry's database has had, with the way from each to the next."""
