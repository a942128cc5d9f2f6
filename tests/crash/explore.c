#include "crash/explore.h"
#include "base/text.h"
#include "crash/check.h"
#include "crash/host.h"
#include "crash/peers.h"
#include "double/boot-loader.h"
#include "resume-file.h"

#define SECTOR_SMALL 512
#define SECTOR_LARGE (16 * KIB) /* not a sector: many of them, of a slot that nobody starts */
#define LARGE_WRITE \
        (16 * KIB) /* writes above this are cut into large pieces: there are enough of them */

/* vfat keeps no journal: of a rename either half may be lost. */
typedef enum PieceHalf {
        PIECE_WHOLE,
        PIECE_NEW_NAME,
        PIECE_OLD_NAME, /* goes */
} PieceHalf;
#define SLOTS_REMEMBERED 4

/* What a disk or a file system does at once. */
typedef struct Piece {
        const Record *record;
        size_t from, size; /* of its data */
        PieceHalf half;    /* of a rename */
} Piece;

/* What a slot of the durable world holds: to look is to compare a million bytes. */
typedef struct SlotMemo {
        uint64_t offset;
        const Release *release;
} SlotMemo;

typedef struct Walk {
        Exploration *exploration;
        World durable;    /* what is on the media for sure */
        World complete;   /* each file as it was when it was synced; without the disk */
        bool record_ends; /* the state to come is the first one that has the whole newest record */
        Piece *pieces;    /* not flushed yet, in the order of the run */
        size_t n_pieces;
        const bool *kept; /* which of them are in the state that is looked at */
        SlotMemo memos[SLOTS_REMEMBERED];
        size_t n_memos;
        uint64_t chance;
} Walk;

static uint64_t walk_random(Walk *walk)
{
        walk->chance ^= walk->chance << 13;
        walk->chance ^= walk->chance >> 7;
        walk->chance ^= walk->chance << 17;
        return walk->chance;
}

static void record_apply_names(const Record *record, PieceHalf half, World *world)
{
        if (record->remove && half != PIECE_NEW_NAME)
                world_remove_name(world, record->remove);
        if (record->add && half != PIECE_OLD_NAME)
                world_add_name(world, record->add, record->file);
}

static void piece_apply(const Piece *piece, World *world)
{
        const Record *record = piece->record;

        if (record->kind == RECORD_NAME)
                record_apply_names(record, piece->half, world);
        else
                world_write(world, record->file, record->offset + piece->from,
                            record->data + piece->from, piece->size);
}

static bool piece_is_in_slot(const Piece *piece, uint64_t slot)
{
        uint64_t offset = piece->record->offset + piece->from;

        return piece->record->kind == RECORD_DATA && piece->record->file == WORLD_DISK
               && offset < slot + SLOT_SIZE && offset + piece->size > slot;
}

/* walk may be NULL. */
static const Release *slot_release(Walk *walk, const uint8_t *disk, uint64_t slot)
{
        const Release *release;

        for (size_t i = 0; walk && i < walk->n_pieces; i++)
                if (walk->kept[i] && piece_is_in_slot(&walk->pieces[i], slot))
                        return release_of(disk + slot);
        for (size_t i = 0; walk && i < walk->n_memos; i++)
                if (walk->memos[i].offset == slot)
                        return walk->memos[i].release;

        release = release_of(disk + slot);
        if (walk && walk->n_memos < SLOTS_REMEMBERED)
                walk->memos[walk->n_memos++] = (SlotMemo) { slot, release };
        return release;
}

static char *slot_violation(Walk *walk, const BootSlot *slot, const uint8_t *disk)
{
        char *text = NULL;

        if (boot_slot_is_selectable(slot) && !slot_release(walk, disk, slot->offset))
                CHECK(text_format(&text,
                                  "I2: the slot at %llu is selectable (priority %u, tries %u, "
                                  "successful %d) and not complete",
                                  (unsigned long long)slot->offset, slot->priority, slot->tries,
                                  slot->successful)
                      >= 0);
        return text;
}

static char *disk_violation(Walk *walk, World *world)
{
        WorldFile *disk = &world->files[WORLD_DISK];
        char *text = NULL;
        uint32_t index = 0;
        BootTable table;
        BootSlot slot;

        if (boot_table_open(disk->data, disk->size, &table) < 0)
                return strdup("I1: no copy of the partition table is valid");
        while (!text && boot_table_next_slot(&table, &index, &slot))
                text = slot_violation(walk, &slot, disk->data);
        if (text)
                return text;
        if (boot_table_choose(&table, &slot) < 0)
                return strdup("I1: the boot loader finds no slot to start");
        return NULL;
}

/*
 * What of a file is never written in place. Behind it a checkpoint has its two copies, each with its checksum: what a
 * cut leaves of them is judged by those who go on from it.
 */
static size_t file_whole_size(const char *name, size_t size)
{
        return streq(name, RESUME_PATH) ? MIN_OF(size, (size_t)RESUME_OFFSET) : size;
}

/* By one sector at a time: the boot loader's rule says whether what is there is right. */
static bool is_written_in_place(const char *name)
{
        return after_prefix(name, WORLD_BOOT "/grub/");
}

static char *package_violation(const World *world, const Release *release)
{
        int file = world_find(world, release->package_path);
        char *text = NULL;

        if (file >= 0 && world->files[file].size == PACKAGE_SIZE
            && memcmp(world->files[file].data, release->package_image, PACKAGE_SIZE) == 0)
                return NULL;
        CHECK(text_format(&text, "I2: version %s may be started, and its image %s is %s",
                          release->version, release->package_path,
                          file < 0 ? "not there" : "not whole")
              >= 0);
        return text;
}

/* What the boot loader may choose has everything beside it that belongs to it. */
static char *packages_violation(Walk *walk, World *world)
{
        WorldFile *disk = &world->files[WORLD_DISK];
        const Release *release;
        uint32_t index = 0;
        char *text = NULL;
        BootTable table;
        BootSlot slot;

        if (boot_table_open(disk->data, disk->size, &table) < 0)
                return NULL; /* told before */
        while (!text && boot_table_next_slot(&table, &index, &slot)) {
                release = boot_slot_is_selectable(&slot)
                                  ? slot_release(walk, disk->data, slot.offset)
                                  : NULL;
                if (release)
                        text = package_violation(world, release);
        }
        return text;
}

/* A file that the daemon would read is as it was when it was synced: never a mixture, never a part. */
static char *files_violation(const World *world, const World *complete)
{
        for (size_t i = 0; i < world->n_names; i++) {
                const WorldName *name = &world->names[i];
                const WorldFile *is, *was;
                char *text;

                if (name->file < 0 || world_name_is_temporary(name->name)
                    || world_find(world, name->name) < 0 || is_written_in_place(name->name))
                        continue;
                is = &world->files[name->file];
                was = (size_t)name->file < complete->n_files ? &complete->files[name->file] : NULL;
                if (was && was->size > 0 && was->size == is->size
                    && memcmp(was->data, is->data, file_whole_size(name->name, is->size)) == 0)
                        continue;
                CHECK(text_format(&text, "%s is neither the old nor the new file", name->name)
                      >= 0);
                return text;
        }

        return NULL;
}

/* walk may be NULL; complete NULL: of what a boot loader sees only. */
static char *state_violation(Walk *walk, World *world, const World *complete)
{
        char *text =
                loader_kind() == LOADER_GPT ? disk_violation(walk, world) : loader_violation(world);

        if (!text && complete && loader_kind() == LOADER_GPT)
                text = packages_violation(walk, world);
        return text || !complete ? text : files_violation(world, complete);
}

char *world_violation(World *world, const World *complete)
{
        return state_violation(NULL, world, complete);
}

/* I3: the real code, on a real directory. A version that was tried and not confirmed is not wanted any more. */
static void walk_converge(Walk *walk, const World *world)
{
        Exploration *exploration = walk->exploration;
        _cleanup_free_ char *why = NULL;

        exploration->n_converged++;
        world_materialize(world, exploration->root);
        peers_offer(exploration->wanted);
        if (host_converge(exploration->root, exploration->wanted, &why))
                return;
        if (exploration->later && strstr(why, "remembered as failed")) {
                exploration->n_fallen_back++;
                free(why);
                why = NULL;
                peers_offer(exploration->later);
                if (host_converge(exploration->root, exploration->later, &why))
                        return;
        }
        CHECK(text_format(&exploration->violation, "I3: %s", why) >= 0);
}

static void walk_check(Walk *walk, World *world)
{
        Exploration *exploration = walk->exploration;

        exploration->n_states++;
        exploration->violation = state_violation(walk, world, &walk->complete);
        if (!exploration->violation && exploration->converge > 0
            && (walk->record_ends || exploration->n_states % exploration->converge == 0))
                walk_converge(walk, world);
        walk->record_ends = false;
        if (exploration->keep > 0 && exploration->n_states % exploration->keep == 0) {
                exploration->kept =
                        realloc(exploration->kept, (exploration->n_kept + 1) * sizeof(World));
                CHECK(exploration->kept);
                world_copy(world, false, &exploration->kept[exploration->n_kept++]);
        }
}

void exploration_done(Exploration *exploration)
{
        for (size_t i = 0; i < exploration->n_kept; i++)
                world_done(&exploration->kept[i]);
        free(exploration->kept);
        free(exploration->violation);
}

/* The disk is not copied for each state: what was changed is put back from the durable one. */
static void walk_visit(Walk *walk, const bool *kept, World *scratch)
{
        World world;

        world_copy(&walk->durable, true, &world);
        world.files[WORLD_DISK] = scratch->files[WORLD_DISK];
        for (size_t i = 0; i < walk->n_pieces; i++)
                if (kept[i])
                        piece_apply(&walk->pieces[i], &world);
        walk->kept = kept;
        walk_check(walk, &world);
        world_done_shared(&world);

        for (size_t i = 0; i < walk->n_pieces; i++) {
                const Record *record = walk->pieces[i].record;
                uint64_t offset = record->offset + walk->pieces[i].from;

                if (kept[i] && record->kind == RECORD_DATA && record->file == WORLD_DISK)
                        world_write(scratch, WORLD_DISK, offset,
                                    walk->durable.files[WORLD_DISK].data + offset,
                                    walk->pieces[i].size);
        }
}

/* Sparse, dense and half-and-half subsets; the first keeps everything, the second the newest only. */
static void subset_sample(Walk *walk, unsigned sample, bool *kept)
{
        uint64_t density = sample < 2 ? (sample == 0 ? 100 : 0) : walk_random(walk) % 101;

        for (size_t i = 0; i + 1 < walk->n_pieces; i++)
                kept[i] = walk_random(walk) % 100 < density;
}

/* All states in which the newest piece is on the medium; those without it were visited before it came. */
static void walk_subsets(Walk *walk, World *scratch)
{
        size_t n = walk->n_pieces, others = n - 1;
        bool exhaustive = n <= EXPLORE_EXHAUSTIVE;
        uint64_t n_subsets = exhaustive ? UINT64_C(1) << others : walk->exploration->samples;
        _cleanup_free_ bool *kept = calloc(n, sizeof(bool));

        CHECK(kept);
        kept[others] = true;
        for (uint64_t subset = 0; subset < n_subsets && !walk->exploration->violation; subset++) {
                if (exhaustive)
                        for (size_t i = 0; i < others; i++)
                                kept[i] = subset >> i & 1;
                else
                        subset_sample(walk, (unsigned)subset, kept);
                walk_visit(walk, kept, scratch);
        }
}

static void walk_add(Walk *walk, const Piece *piece)
{
        walk->pieces = realloc(walk->pieces, (walk->n_pieces + 1) * sizeof(Piece));
        CHECK(walk->pieces);
        walk->pieces[walk->n_pieces++] = *piece;
}

static void walk_add_name(Walk *walk, const Record *record, PieceHalf half, World *scratch)
{
        walk_add(walk, &(Piece) { .record = record, .half = half });
        walk->record_ends = half != PIECE_NEW_NAME;
        walk_subsets(walk, scratch);
}

static bool name_is_in(const char *name, const char *directory)
{
        const char *rest = name ? after_prefix(name, directory) : NULL;

        return rest && *rest == '/' && !strchr(rest + 1, '/');
}

static bool piece_is_flushed(const Piece *piece, const Record *flush)
{
        const Record *record = piece->record;

        /* A partition and its disk are two devices: what was written to one is not flushed by the other. */
        if (record->kind == RECORD_DATA)
                return flush->kind != RECORD_SYNC_DIRECTORY && record->file == flush->file
                       && record->in_partition == flush->in_partition;
        return flush->kind == RECORD_SYNC_DIRECTORY
               && (name_is_in(record->add, flush->add) || name_is_in(record->remove, flush->add));
}

static void complete_note(Walk *walk, int file)
{
        const WorldFile *content =
                (size_t)file < walk->durable.n_files ? &walk->durable.files[file] : NULL;

        if (file > WORLD_DISK && content)
                world_write(&walk->complete, file, 0, content->data, content->size);
}

/* What was flushed is durable from now on; what was lost is never going to be. */
static void walk_flush(Walk *walk, const Record *flush, World *scratch)
{
        size_t n_left = 0;

        for (size_t i = 0; i < walk->n_pieces; i++) {
                Piece piece = walk->pieces[i];

                if (!piece_is_flushed(&piece, flush)) {
                        walk->pieces[n_left++] = piece;
                        continue;
                }
                if (flush->kind == RECORD_LOST)
                        continue;
                piece_apply(&piece, &walk->durable);
                if (piece.record->kind == RECORD_DATA && piece.record->file == WORLD_DISK) {
                        piece_apply(&piece, scratch);
                        walk->n_memos = 0;
                }
        }
        walk->n_pieces = n_left;
        if (flush->kind == RECORD_SYNC_FILE)
                complete_note(walk, flush->file);
}

static void walk_record(Walk *walk, const Record *record, World *scratch)
{
        size_t piece = record->size > LARGE_WRITE ? SECTOR_LARGE : SECTOR_SMALL;

        if (record->kind != RECORD_DATA && record->kind != RECORD_NAME) {
                walk_flush(walk, record, scratch);
                return;
        }
        if (record->kind == RECORD_NAME) {
                bool rename =
                        record->add && record->remove && after_prefix(record->add, WORLD_BOOT);

                walk_add_name(walk, record, rename ? PIECE_NEW_NAME : PIECE_WHOLE, scratch);
                if (rename && !walk->exploration->violation)
                        walk_add_name(walk, record, PIECE_OLD_NAME, scratch);
                return;
        }
        for (size_t from = 0; from < record->size && !walk->exploration->violation; from += piece) {
                walk_add(walk, &(Piece) { .record = record,
                                          .from = from,
                                          .size = MIN_OF(piece, record->size - from) });
                walk->record_ends = from + piece >= record->size;
                walk_subsets(walk, scratch);
        }
}

void explore(const World *begin, const Record *records, size_t n, Exploration *exploration)
{
        Walk walk = { .exploration = exploration, .chance = UINT64_C(88172645463325252) };
        World scratch;

        world_copy(begin, false, &walk.durable);
        world_copy(begin, false, &scratch);
        for (size_t i = 0; i < begin->n_files; i++)
                world_write(&walk.complete, (int)i, 0, begin->files[i].data,
                            i == WORLD_DISK ? 0 : begin->files[i].size);
        for (size_t i = 0; i < n && !exploration->violation; i++) {
                walk_record(&walk, &records[i], &scratch);
                if (exploration->violation)
                        printf("# after record %zu of %zu\n", i, n);
        }
        free(walk.pieces);
        world_done(&walk.durable);
        world_done(&walk.complete);
        world_done(&scratch);
}

void explore_replay(World *world, const Record *records, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (records[i].kind == RECORD_DATA || records[i].kind == RECORD_NAME)
                        piece_apply(&(Piece) { .record = &records[i], .size = records[i].size },
                                    world);
}
