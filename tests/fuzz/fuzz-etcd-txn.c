#include "fuzz/fuzz.h"
#include "locksmith/etcd-wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const EtcdWrite writes[] = { { "k", "v", 0 }, { "t", NULL, 0 } };
        static const EtcdRangeRequest reads[] = { { .key = "k" } };
        static const EtcdTxnRequest request = {
                .writes = writes, .n_writes = 2, .reads = reads, .n_reads = 1
        };
        EtcdTxn txn;

        if (etcd_txn_parse((const char *)data, size, &request, &txn) == 0)
                etcd_txn_done(&txn);
        return 0;
}
