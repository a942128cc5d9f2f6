#include "cloud-config/yaml-tree.h"
#include "fuzz/fuzz.h"

/* Every node that can be reached without following the same alias twice too often must be sound. */
static void node_check(const Node *node, unsigned *budget)
{
        if ((*budget)-- == 0)
                return;
        assert(!node->open && node->place.line > 0 && node->place.column > 0);
        if (node->type == NODE_SCALAR)
                assert(node->text[node->size] == 0 && !node->entries);
        for (const Entry *e = node->entries; e && *budget > 0; e = e->next) {
                assert((e->key != NULL) == (node->type == NODE_MAPPING));
                if (e->key)
                        node_check(e->key, budget);
                if (*budget > 0)
                        node_check(e->value, budget);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(findings_done) Findings findings = {};
        _cleanup_(tree_done) Tree tree = {};
        unsigned budget = 1000;
        int r;

        r = tree_parse((const char *)data, size, 0, &findings, &tree);
        assert(r == 0 || r == -EBADMSG);
        assert((r < 0) == (findings.n_errors > 0));
        if (tree.root)
                node_check(tree.root, &budget);
        return 0;
}
