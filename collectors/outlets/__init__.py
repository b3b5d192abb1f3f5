"""Outlets: what the centre hands on to other systems, from the journal, each with a cursor of its own.

A format says how an event is written, a carrier how it travels. Each is one file here and one line below.

settings  what centre.yaml says of an outlet
item      one event on its way
mapping   tables that turn EVE's fields into another schema's
cursors   how far each outlet is, in the journal's database
runner    journal > format > carrier > cursor, one thread an outlet
"""
