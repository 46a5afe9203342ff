mod decide; mod parse;
