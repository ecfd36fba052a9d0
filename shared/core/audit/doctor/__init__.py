"""Doctor: what the live API does where its documentation is silent, measured in a few requests.

- `words` what may be kept of an answer: counts, sizes, times and names from fixed lists
- `looking` an answer → what it showed, without anything that it said
- `questions` what is known so far → the next request, or none
- `probing` how far an examination has come; at most `REQUESTS_MOST` requests
- `measuring` answers → facts
- `advising`  facts + settings → what each difference means, and settings to paste
- `transcripts` the anonymised account, and its codec
- `reports`   the result as it is stored and shown
- `roles`     a token → the roles in it

Nothing here reads a clock, sends a request or knows how a token is made.
"""
