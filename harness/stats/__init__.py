"""Pure numbers in, numbers out: intervals, paired tests of whole passes, many comparisons, planning.

Nothing here reads, writes, prints or knows what a trial is; numpy and scipy are loaded when a function needs
them.
"""
