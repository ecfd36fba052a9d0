"""Bodies of answers, and records whose exact bytes are hard to preserve."""

TIMES = b'"timestamp":1,"created":2'


def body(*records: bytes, more: bytes = b'"hasNext":false') -> bytes:
    """Return a page with these records, written as they are."""
    return b'{"data":[' + b",".join(records) + b"]," + more + b"}"


KEPT = {
    "a large integer": b'{"_id":"a",%b,"n":18446744073709551615}' % TIMES,
    "a number of many digits": b'{"_id":"a",%b,"n":1.0000000000000000000000000000000001}' % TIMES,
    "keys that differ in case": b'{"_id":"a",%b,"Key":1,"key":2}' % TIMES,
    "a real of many whole digits": b'{"_id":"a",%b,"n":18446744073709551615.5}' % TIMES,
    "a large real": b'{"_id":"a",%b,"n":1.5e300}' % TIMES,
    "escapes": rb'{"_id":"a",%b,"t":"\u00e4\/\ud83d\ude00\t"}' % TIMES,
    "odd white space": b'{ "_id" :\t"a" , %b }' % TIMES,
    "nested keys that come twice": b'{"_id":"a",%b,"d":{"k":1,"k":2}}' % TIMES,
    "deep nesting": b'{"_id":"a",%b,"n":' % TIMES + b"[" * 200 + b"]" * 200 + b"}",
    "a tiny real": b'{"_id":"a",%b,"n":[1e-400,-1.5E-999]}' % TIMES,
    "the largest negative integer": b'{"_id":"a",%b,"n":-9223372036854775808}' % TIMES,
    "what looks large in a string": b'{"_id":"a",%b,"t":"x:1e999,[340282366920938463463,"}' % TIMES,
    "keys not written as they read": '{"_id":"a",%s,"\\u00e4":1,"å":2,"a\\/b":3}'.encode().replace(
        b"%s", TIMES
    ),
}


IRREGULAR = {
    "a huge integer": b'{"_id":"a",%b,"n":340282366920938463463374607431768211456}' % TIMES,
    "repeated keys": b'{"_id":"a",%b,"k":1,"k":2}' % TIMES,
    "a number beyond every double": b'{"_id":"a",%b,"n":1e400}' % TIMES,
    "a real beyond 64 bits": b'{"_id":"a",%b,"n":18446744073709551616.5}' % TIMES,
    "a negative real beyond 64 bits": b'{"_id":"a",%b,"n":-9223372036854775809.5}' % TIMES,
    "a zero with a large exponent": b'{"_id":"a",%b,"n":0.0e400}' % TIMES,
    "a huge integer in a list": b'{"_id":"a",%b,"n":{"m":[1, 340282366920938463463]}}' % TIMES,
    "a large exponent deep inside": b'{"_id":"a",%b,"n":[{"m":-1.5E+0400}]}' % TIMES,
    "a repeated key among spaces": b'{"_id": "a", %b, "k": 1, "k": 2}' % TIMES,
    "a repeated key in two spellings": rb'{"_id":"a",%b,"k":1,"\u006b":2}' % TIMES,
    "a lone surrogate": rb'{"_id":"a",%b,"t":"\ud800"}' % TIMES,
    "invalid UTF-8": b'{"_id":"a",%b,"t":"\xff"}' % TIMES,
    "NaN": b'{"_id":"a",%b,"n":NaN}' % TIMES,
    "Infinity": b'{"_id":"a",%b,"n":-Infinity}' % TIMES,
    "a raw control character": b'{"_id":"a",%b,"t":"\x01"}' % TIMES,
    "a time beyond every range": b'{"_id":"a",%b,"n":1,"timestamp":1e999}' % b'"created":2',
    "a raw newline in a string": b'{"_id":"a",%b,"t":"x\ny"}' % TIMES,
    "a field named as a wrapper's": b'{"_id":"a",%b,"irregular":true}' % TIMES,
    "such a field with text": b'{"_id":"a",%b,"irregular":"eHl6","n":1}' % TIMES,
    "such a field with null": b'{"_id":"a",%b,"n":1,"irregular":null}' % TIMES,
    "such a field in another spelling": rb'{"_id":"a",%b,"irregul\u0061r":{}}' % TIMES,
}
