#include "fuzz/fuzz.h"
#include "locksmith/etcd-wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        EtcdRange range;
        char why[ETCD_WHY_MAX];
        int64_t revision;

        if (etcd_range_parse((const char *)data, size, &range, &revision) == 0)
                etcd_range_done(&range);
        etcd_error_text((const char *)data, size, why);
        return 0;
}
