"""The Python API: `sbgen.load`, what it returns, and what that returns. ::

    load(model) ─▶ LoadedNetwork ─ fold(board) ─▶ FoldedDesign ─ build(folder) ─▶ BuiltDesign
                   predict, scores                estimate, cycles               report, verify, prove
                                                  predict, scores, verilog       predict, scores

Names in ``sbgen`` are stable: a later version that changes one says so in the changelog, and accepts the old
form for one more version. The commands of the command line call the same functions.
"""
