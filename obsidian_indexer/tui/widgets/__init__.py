"""Pieces shared by several screens, or too large for one."""
