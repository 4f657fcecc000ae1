"""Evolutionary search for networks on a board: `sbgen search`.

After Phan et al., "Binarizing MobileNet via Evolution-based Searching" (arXiv 2005.06305): candidates are
changed and crossed, the exact estimate on the board is their cost, a short training their fitness.

    genome     a candidate and how it changes
    front      which candidates are better in all that counts
    evaluate   cost and fitness of one candidate, what workers compute
    evolution  the generations, as a function of the seed and the results
    outcome    table, plot and JSON
"""
