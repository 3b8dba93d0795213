"""Other people's caches, written from their published definitions on our chain, clock and interception.

Every one is a `Rival`: the blocks it can leave out, and per pass a `Stream` that decides from what it sees at the first
of them and says how what was stored at earlier evaluations is combined. None of their code is here.

Where a paper stores the outputs of attention and MLP of each block, what is stored here is their sum over all blocks,
the change of the hidden state, as the papers' own light variants do: a forecast of the sum is the sum of the
forecasts, apart from the gates that the time step sets anew.
"""
