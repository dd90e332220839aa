"""Odd answers: made, given to both clients, and what becomes of them judged."""
