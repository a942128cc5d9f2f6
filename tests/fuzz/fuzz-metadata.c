#include "cloud-config/metadata.h"
#include "fuzz/fuzz.h"

/* Whatever a config drive says, what comes out of it is an address and nothing more. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(addresses_done) Addresses addresses = {};
        _cleanup_free_ char *text = strndup((const char *)data, size);
        int r;

        assert(text);
        r = metadata_parse_ec2(text, &addresses);
        assert(r == 0 || r == -EBADMSG);
        r = metadata_parse_network(text, &addresses);
        assert(r == 0 || r == -EBADMSG);
        for (size_t i = 0; i < _ADDRESS_MAX; i++)
                if (addresses.items[i])
                        assert(!addresses.items[i][strspn(addresses.items[i],
                                                          "0123456789abcdefABCDEF.:")]);
        return 0;
}
