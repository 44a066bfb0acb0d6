"""A worked example: how late will a flight arrive, asked as it leaves?"""
