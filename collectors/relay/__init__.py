"""The relay between two tiers: what a province hands on, by which policy, and whose word the nation takes.

journal > outbox        > policy          > uplink        ~~>  origins
ids       numbers, books  what may leave    session, link      who vouches for a sensor
"""
