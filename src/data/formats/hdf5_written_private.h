/* data/formats/hdf5_written_private.h - is every value of an HDF5 dataset one that somebody wrote?
 *
 * HDF5 reads a fill value, and says nothing, where a source of a virtual dataset is not there or is
 * shorter than it was, where no source was named, where a raw file is short, and where chunks were
 * never written.  Where whoever made the file named a fill value that is said, else it is refused.
 * Sources are looked for where HDF5 looks, at most 8 virtual datasets deep and 2^20 in all.
 * For the reader of HDF5 files alone.   Not collective.
 * Errors: ORR_ERR_UNSUPPORTED (values in other files, unless other_files; too many sources),
 * ORR_ERR_IO (a source is not there), ORR_ERR_FORMAT (a part is missing), ORR_ERR_NOMEM. */
#ifndef ORR_DATA_FORMATS_HDF5_WRITTEN_PRIVATE_H
#define ORR_DATA_FORMATS_HDF5_WRITTEN_PRIVATE_H

#include "core/status.h"

#include <hdf5.h>

/* Dataset `set`, called `dataset`, of an open file; names are borrowed. */
orr_status orr_hdf5_check_written(hid_t file, hid_t set, const char *path, const char *dataset,
                                  int other_files);
/* Does the path lead to a dataset?  access: of links, as H5Lexists takes it. */
int orr_hdf5_is_dataset(hid_t file, const char *dataset, hid_t access);
/* The sentence (ORR_ERR_UNSUPPORTED) for what lies in files that the file names. */
orr_status orr_hdf5_refuse_other(const char *path, const char *dataset, const char *what);

#endif
