"""Sections of a report page, one file each: findings in, parts out; None where there is nothing to say."""
