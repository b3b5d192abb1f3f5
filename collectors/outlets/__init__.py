"""Outlets: what the centre hands on to other systems, from the journal, each with a cursor of its own.

A format says how an event is written (eve, cef, ecs, ocsf), a carrier how it travels (syslog, webhook,
kafka). Each is one file here and one word in `settings` or `carriers`.

settings  what centre.yaml says of an outlet
item      one event on its way
mapping   tables that turn EVE's fields into another schema's
carriers  what every carrier offers, and which there are
secure    TLS towards receivers
cursors   how far each outlet is, in the journal's database; places: the same for those who ask
runner    journal > format > carrier > cursor, one thread an outlet
"""
