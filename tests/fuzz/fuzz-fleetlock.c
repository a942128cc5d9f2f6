#include "fuzz/fuzz.h"
#include "locksmith/fleetlock-wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char kind[FLEETLOCK_KIND_MAX], value[FLEETLOCK_VALUE_MAX];
        const char *text = (const char *)data, *why;
        FleetlockRequest request;

        if (fleetlock_request_parse(text, size, &request, &why) == 0)
                fleetlock_request_done(&request);
        fleetlock_error_parse(text, size, kind, value);
        return 0;
}
