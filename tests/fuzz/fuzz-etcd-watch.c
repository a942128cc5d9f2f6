#include "fuzz/fuzz.h"
#include "locksmith/etcd-wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        EtcdWatchLine line;

        if (etcd_watch_line_parse((const char *)data, size, &line) == 0)
                etcd_watch_line_done(&line);
        return 0;
}
