#include "fuzz/fuzz.h"
#include "locksmith/etcd-wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        EtcdMembers members;
        EtcdStatus status;
        int r;

        if (etcd_members_parse((const char *)data, size, &members) == 0)
                etcd_members_done(&members);
        r = etcd_status_parse((const char *)data, size, &status);
        return r == 0 && strlen(status.member_id) >= ETCD_ID_MAX;
}
