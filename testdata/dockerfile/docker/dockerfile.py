"""Helpers."""
from os import path
from x import *
