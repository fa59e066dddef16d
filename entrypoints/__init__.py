"""Processes and doors: settings, composition, CLI and one package per wire contract."""
